"""Shows previews of artifacts: as text for a terminal, and as one safe page."""
