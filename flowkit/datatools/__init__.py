"""Tools for users' own data: a client of S3 that is fast and says clearly what failed."""

from flowkit.datatools.objects import RangeInfo, S3GetObject, S3Object, S3PutObject
from flowkit.datatools.s3 import S3

__all__ = ["S3", "RangeInfo", "S3GetObject", "S3Object", "S3PutObject"]
