import subprocess
import sys
from pathlib import Path

import pytest

from agents.errors import Invalid
from app.data_folder import checkpoint_file, engine_url, only_one, store_url

HOLD = """
import sys
from pathlib import Path
from app.data_folder import only_one
with only_one(Path(sys.argv[1]), "worker"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_every_database_has_a_file_of_its_own(tmp_path: Path) -> None:
    places = {store_url(tmp_path), engine_url(tmp_path), f"sqlite:///{checkpoint_file(tmp_path)}"}
    assert len(places) == 3
    assert all(place.startswith(f"sqlite:///{tmp_path}/") for place in places)


def test_one_process_a_role_works_on_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    with only_one(folder, "worker"):
        with only_one(folder, "intake"):
            pass
        with pytest.raises(Invalid, match=r"another worker works on .*data already"), only_one(folder, "worker"):
            pass
    with only_one(folder, "worker"):
        assert folder.stat().st_mode & 0o077 == 0


def test_the_lock_goes_with_its_process_however_that_ends(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdin
    assert process.stdout.readline() == "held\n"
    with pytest.raises(Invalid), only_one(tmp_path, "worker", patience=0.2):
        pass
    process.kill()
    with only_one(tmp_path, "worker", patience=10):
        assert process.wait(timeout=10) != 0
    process.stdin.close()
    process.stdout.close()


@pytest.mark.parametrize("name", ["file/data", "file"])
def test_a_folder_that_cannot_be_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(Invalid, match=r"SELFHEAL_DATA_DIR: .*file.* cannot be written to"),
        only_one(tmp_path / name, "intake"),
    ):
        pass


def test_a_folder_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    with only_one(folder, "intake"):
        assert folder.stat().st_mode & 0o777 == 0o700
