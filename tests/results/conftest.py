from __future__ import annotations

from tests.support.ground import ground, make_ground

__all__ = ["ground", "make_ground"]
