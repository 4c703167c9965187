"""The demo's subscribers: example people at reserved domains, imported by the same code as any file."""


def seed_subscribers() -> str:
    """Import config/demo/subscribers.csv; repeatable. Returns a short account of what happened."""
    return "none"
