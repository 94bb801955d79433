"""The pictures: light, labelled at the line itself, and legible without colour vision.

Every function returns a matplotlib `Figure` without a window, global state or anything to close. A
figure of full width is saved 1200 pixels wide.
"""
