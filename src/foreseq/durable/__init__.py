"""Files, locks and logs that survive a process killed at any moment.

Takes what the rooms above write to disk; leaves either the old state or the new one, never half.
"""
