"""The report: one self-contained HTML file, and the same as markdown, of what a stretch of trading did and why."""
