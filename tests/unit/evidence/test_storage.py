"""A disk that refuses is told with the folder's option; any other error is none of the disk's."""

import errno
import os
from pathlib import Path

import pytest

from fixtures.errors import StorageError
from fixtures.evidence.storage import UNWRITABLE, writing


@pytest.mark.parametrize("number", sorted(UNWRITABLE), ids=errno.errorcode.get)
def test_disk_that_refuses_is_told_with_the_option(number: int) -> None:
    with pytest.raises(StorageError) as caught, writing(Path("/somewhere/work"), "--work-dir"):
        raise OSError(number, os.strerror(number))
    assert caught.value.fields == {"option": "--work-dir", "problem": os.strerror(number)}
    assert caught.value.where == "--work-dir work"


def test_error_that_is_none_of_the_disks_comes_through() -> None:
    with pytest.raises(FileNotFoundError), writing(Path("/somewhere"), "--work-dir"):
        Path("/somewhere/else").read_text()
