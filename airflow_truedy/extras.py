"""Libraries that not everybody needs: leaf of the package."""

from __future__ import annotations

#: Library -> the extra of this package that installs it.
EXTRAS = {
    "pyarrow": "parquet",
    "python-calamine": "excel",
    "zipcodes": "calling-hours",
    "holidays": "calling-hours",
    "apache-airflow-providers-openlineage": "openlineage",
}


def missing(what: str, library: str) -> str:
    """Return that something needs a library, and how to get it: by its own name, wherever this package is from."""
    extra = EXTRAS[library]
    return f"{what} needs {library}: pip install {library} (or this package with its extra [{extra}])"
