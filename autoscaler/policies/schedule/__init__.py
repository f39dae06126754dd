"""Limits by the calendar: floors and ceilings that hold in windows of local time.

A window is read from the file (:mod:`.windows`), becomes occurrences in UTC (:mod:`.days`,
:mod:`.crontab`), and what holds at an instant is folded from them (:mod:`.timetable`). Wall clocks are met
in :mod:`.wall` only.
"""

from autoscaler.policies.schedule.edges import Edge
from autoscaler.policies.schedule.policy import Schedule

__all__ = ["Edge", "Schedule"]
