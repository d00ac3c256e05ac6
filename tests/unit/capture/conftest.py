import pytest

from eiosniff.capture import window


@pytest.fixture(params=[64, window.BLOCK], ids=["tiny-blocks", "real-blocks"])
def any_block(request, monkeypatch):
    """Streams whose blocks end inside nearly every record, and real ones."""
    monkeypatch.setattr(window, "BLOCK", request.param)
