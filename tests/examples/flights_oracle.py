"""The flights features once more, by brute force and straight from the raw tables: plain Python, no code of treadle's.

Rows are dictionaries of the package's own columns. Every feature is a loop over all rows of its key, with the rule written
out: usable at T if known by T; windows count events with T - w <= event < T; weather lives for six hours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

UTC = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


def moment(text):
    return datetime.fromisoformat(text)


class FlightsOracle:
    def __init__(self, flights, weather, planes, airports):
        zones = {a["faa"]: a["tzone"] for a in airports}
        self.flights = [self._timed(f, zones.get(f["dest"]) or "America/Puerto_Rico") for f in flights]
        self.weather = defaultdict(list)
        for w in weather:
            self.weather[w["origin"]].append((moment(w["time_hour"]), w))
        self.planes = {p["tailnum"]: p for p in planes}
        self.by = {
            name: defaultdict(list)
            for name in ("origin", "carrier_origin", "dest", "carrier", "tailnum", "route")
        }
        for f in sorted(self.flights, key=lambda f: f["sched"]):
            for name, key in self._keys(f).items():
                self.by[name][key].append(f)

    @staticmethod
    def _timed(f, zone):
        f = dict(f)
        f["sched"] = moment(f["time_hour"]) + timedelta(minutes=f["minute"])
        f["T"] = f["sched"] - HOUR
        local_day = f["sched"].astimezone(NEW_YORK).date()
        for days in (0, 1):
            day = local_day + timedelta(days=days)
            hour, minute = divmod(f["sched_arr_time"], 100)
            there = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(
                UTC
            )
            if there > f["sched"]:
                break
        f["sched_arr"] = there
        f["departed"] = None if f["dep_delay"] is None else f["sched"] + timedelta(minutes=f["dep_delay"])
        f["arrived"] = None if f["arr_delay"] is None else there + timedelta(minutes=f["arr_delay"])
        return f

    @staticmethod
    def _keys(f):
        return {
            "origin": f["origin"],
            "carrier_origin": (f["carrier"], f["origin"]),
            "dest": f["dest"],
            "carrier": f["carrier"],
            "tailnum": f["tailnum"],
            "route": (f["carrier"], f["flight"]),
        }

    def window(self, f, by, when, value, hours):
        """(number, mean) of a delay over the window; (None key: nothing is known)."""
        key = self._keys(f)[by]
        if key is None:
            return 0.0, None
        start = f["T"] - hours * HOUR
        found = [
            value(g)
            for g in self._about(by, key, start, f["T"])
            if g[when] is not None and start <= g[when] < f["T"]
        ]
        if not found:
            return 0.0, None
        return float(len(found)), float(sum(map(Fraction, found)) / len(found))

    def _about(self, by, key, start, end):
        """The key's flights scheduled four days around a span: none takes off or lands further from its schedule."""
        flights = self.by[by][key]
        first = bisect_left(flights, start - timedelta(days=4), key=lambda g: g["sched"])
        last = bisect_left(flights, end + timedelta(days=4), key=lambda g: g["sched"])
        return flights[first:last]

    def feature(self, f, name):
        """The value a feature has at the flight's T."""
        if name.startswith("weather_"):
            return self._weather(f, name.removeprefix("weather_"))
        windows = {
            "origin_dep_delay": ("origin", "departed", lambda g: g["dep_delay"]),
            "carrier_at_origin_dep_delay": ("carrier_origin", "departed", lambda g: g["dep_delay"]),
            "destination_arr_delay": ("dest", "arrived", lambda g: g["arr_delay"]),
            "carrier_arr_delay": ("carrier", "arrived", lambda g: g["arr_delay"]),
            "tail_arr_delay": ("tailnum", "arrived", lambda g: g["arr_delay"]),
        }
        for start, (by, when, value) in windows.items():
            if name.startswith((f"{start}_mean_", f"{start}_count_")):
                kind, over = name.removeprefix(f"{start}_").split("_")
                hours = int(over[:-1]) * (24 if over.endswith("d") else 1)
                number, average = self.window(f, by, when, value, hours)
                return number if kind == "count" else average
        if name == "route_late_rate_28d":
            return self.window(f, "route", "arrived", lambda g: int(g["arr_delay"] >= 15), 28 * 24)[1]
        plane = self.planes.get(f["tailnum"]) or {"year": None, "seats": None}
        local = f["sched"].astimezone(NEW_YORK)
        simple = {
            "plane_age": None if plane["year"] is None else float(f["T"].year - plane["year"]),
            "plane_seats": None if plane["seats"] is None else float(plane["seats"]),
            "distance": float(f["distance"]),
            "planned_minutes": (f["sched_arr"] - f["sched"]) / timedelta(minutes=1),
            "minute_of_day": float(local.hour * 60 + local.minute),
            "weekday": float(local.isoweekday()),
            "carrier": f["carrier"],
            "origin": f["origin"],
            "dest": f["dest"],
        }
        return simple[name]

    def _weather(self, f, column):
        known = [(at, w) for at, w in self.weather[f["origin"]] if at + timedelta(minutes=10) <= f["T"]]
        if not known:
            return None
        at, newest = max(known, key=lambda pair: pair[0])
        if f["T"] - at > 6 * HOUR or newest[column] is None:
            return None
        return float(newest[column])
