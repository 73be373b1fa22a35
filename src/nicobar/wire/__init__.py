"""The HTTP contract: the shapes that go in and out, and the renderers from core to wire."""
