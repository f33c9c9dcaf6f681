"""Memory that the processes of one server share: large bodies cross it without being sent."""
