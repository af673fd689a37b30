"""Where bubblewrap cannot make its box, nothing is run and the answer says `no sandbox`."""

from pathlib import Path

import pytest

from app.adapters.sandbox import Box, Limits


@pytest.mark.usefixtures("needs_bubblewrap")
async def test_bubblewraps_own_refusal_is_no_result_of_the_command(tmp_path: Path) -> None:
    box = Box("bubblewrap", Limits(seconds=10, memory_mb=512, uid=None))
    nowhere = str(tmp_path / "nowhere")
    ran = await box.run(nowhere, ("true",), {})
    served = await box.serve(nowhere, ("true",), {}, files={}, requests=(), listen_seconds=1)
    assert (ran.status, served.status) == ("failed", "failed")
    assert str(ran.reason).startswith("no sandbox: bwrap: ")
    assert str(served.reason).startswith("no sandbox: bwrap: ")
