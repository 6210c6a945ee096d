"""Names of Metaflow's that flowkit has not, and what takes their place."""

from collections.abc import Mapping

_REMOTE = (
    "flows are run on this machine and compiled for no orchestrator; flowkit.Runner starts them "
    "from Python, cron at fixed times"
)
_STEPS_ENVIRONMENT = "steps run in the environment of the flow: install what they need there"
_CARDS = (
    "there are no cards; named artifacts have previews ('flowkit artifact show'), also tables, "
    "pictures, and what is an HTMLString or MarkdownString of flowkit.types"
)
_PARSE = "write the parser as a function of the text: Config(..., parser=function)"
_EXTENSIONS = "extensions are entry points; CONTRIBUTING.md has their recipes"

INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(("Deployer", "NBDeployer", "DeployedFlow", "kubernetes", "batch"), _REMOTE),
    **dict.fromkeys(("airflow_external_task_sensor", "airflow_s3_key_sensor"), _REMOTE),
    **dict.fromkeys(("conda", "conda_base", "pypi", "pypi_base"), _STEPS_ENVIRONMENT),
    **dict.fromkeys(("card", "cards"), _CARDS),
    **dict.fromkeys(("requirements_txt_parser", "pyproject_toml_parser"), _PARSE),
    "conda_environment_yml_parser": _PARSE,
    **dict.fromkeys(("EXT_PKG", "__ext_tl_modules__"), _EXTENSIONS),
    "Metaflow": "it is called Flows: Flows().flows, Flows()['Train']",
    "R": "flows are written in Python only",
    "inspect_spin": "a task that 'spin --persist' has kept is read like any other",
    "namespaced_event_name": "events are not sent locally; give @trigger the event's plain name",
    "package_sources": "a run's code holds all that the flow imports from its own directory",
    "pytorch_parallel": (
        "use @parallel, and pass current.parallel (main_ip, num_nodes, node_index) to "
        "torch.distributed.init_process_group"
    ),
}
"""What users are told who import such a name."""


def missing(name: str) -> Exception:
    """Return what to raise when a name is looked up in flowkit that it has not."""
    if name not in INSTEAD:
        return AttributeError(f"module 'flowkit' has no attribute '{name}'")
    # not an AttributeError: an import statement would replace its message by its own
    return ImportError(f"flowkit has no '{name}': {INSTEAD[name]}", name="flowkit")
