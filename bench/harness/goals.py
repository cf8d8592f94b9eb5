"""A goal for a figure; the report says whether it is met."""


def at_least(what, measured, bound, unit=""):
    return {"what": what, "measured": measured, "bound": bound, "unit": unit, "is": "at least",
            "met": measured >= bound}


def at_most(what, measured, bound, unit=""):
    return {"what": what, "measured": measured, "bound": bound, "unit": unit, "is": "at most",
            "met": measured <= bound}
