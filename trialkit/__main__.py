"""`python -m trialkit`, the same as the command `trialkit`."""

from __future__ import annotations

from trialkit.cli.main import main

if __name__ == "__main__":
    main()
