"""Pure functions of events: ``state = reduce(events)``, ``decide(state, now) -> commands``."""
