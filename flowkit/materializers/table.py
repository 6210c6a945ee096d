"""Which types have a materializer or a describer of their own: the one list of their names.

A name leads to ``module:class``, imported when the first such value is stored. A type is found by
its own name and those of the types that it derives from, the nearest first.

Only what gains by it has a materializer: a digest that does not depend on how a library lays
values out in memory, and loading that runs no code of the value. All else is pickled, which is
lossless, and large buffers are kept apart there as well.
"""

_HERE = "flowkit.materializers"

MATERIALIZERS = {
    "numpy.ndarray": f"{_HERE}.arrays:ArrayMaterializer",
    "pandas.DataFrame": f"{_HERE}.frames:FrameMaterializer",
    "pandas.Series": f"{_HERE}.frames:FrameMaterializer",
    "pandas.core.frame.DataFrame": f"{_HERE}.frames:FrameMaterializer",
    "pandas.core.series.Series": f"{_HERE}.frames:FrameMaterializer",
    "polars.dataframe.frame.DataFrame": f"{_HERE}.arrow:PolarsMaterializer",
    "polars.series.series.Series": f"{_HERE}.arrow:PolarsMaterializer",
    "pyarrow.lib.Table": f"{_HERE}.arrow:ArrowMaterializer",
}

DESCRIBERS = {
    "numpy.ndarray": f"{_HERE}.arrayviews:ArrayDescriber",
    "scipy.sparse._base._spbase": f"{_HERE}.arrayviews:SparseDescriber",
    "torch.Tensor": f"{_HERE}.arrayviews:TensorDescriber",
    "pandas.DataFrame": f"{_HERE}.frameviews:FrameDescriber",
    "pandas.Series": f"{_HERE}.frameviews:FrameDescriber",
    "pandas.Index": f"{_HERE}.frameviews:FrameDescriber",
    "pandas.core.frame.DataFrame": f"{_HERE}.frameviews:FrameDescriber",
    "pandas.core.series.Series": f"{_HERE}.frameviews:FrameDescriber",
    "pandas.core.indexes.base.Index": f"{_HERE}.frameviews:FrameDescriber",
    "polars.dataframe.frame.DataFrame": f"{_HERE}.frameviews:PolarsDescriber",
    "polars.series.series.Series": f"{_HERE}.frameviews:PolarsDescriber",
    "pyarrow.lib.Table": f"{_HERE}.frameviews:ArrowDescriber",
    "sklearn.base.BaseEstimator": f"{_HERE}.models:EstimatorDescriber",
    "xgboost.core.Booster": f"{_HERE}.models:BoosterDescriber",
    "lightgbm.basic.Booster": f"{_HERE}.models:BoosterDescriber",
    "torch.nn.modules.module.Module": f"{_HERE}.models:ModuleDescriber",
    "keras.src.models.model.Model": f"{_HERE}.models:KerasDescriber",
    "keras.src.engine.training.Model": f"{_HERE}.models:KerasDescriber",
    "PIL.Image.Image": f"{_HERE}.pictures:ImageDescriber",
    "matplotlib.figure.Figure": f"{_HERE}.pictures:FigureDescriber",
    "plotly.basedatatypes.BaseFigure": f"{_HERE}.pictures:PlotlyDescriber",
    "flowkit.types.CSVString": f"{_HERE}.texts:MarkedTextDescriber",
    "flowkit.types.HTMLString": f"{_HERE}.texts:MarkedTextDescriber",
    "flowkit.types.JSONString": f"{_HERE}.texts:MarkedTextDescriber",
    "flowkit.types.MarkdownString": f"{_HERE}.texts:MarkedTextDescriber",
    "str": f"{_HERE}.texts:TextDescriber",
    "bytes": f"{_HERE}.texts:TextDescriber",
    "bytearray": f"{_HERE}.texts:TextDescriber",
    "dict": f"{_HERE}.texts:ContainerDescriber",
    "list": f"{_HERE}.texts:ContainerDescriber",
    "tuple": f"{_HERE}.texts:ContainerDescriber",
    "set": f"{_HERE}.texts:ContainerDescriber",
    "frozenset": f"{_HERE}.texts:ContainerDescriber",
}

ON_REQUEST = f"{_HERE}.texts:NotebookDescriber"
"""What describes a value of any other type, where a step asks for visualizations."""
