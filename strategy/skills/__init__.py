"""Skills: small pure numeric functions that strategy versions share, imported as `strategy.skills.NAME`."""
