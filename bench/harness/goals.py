"""What a figure has to reach; the report says of each whether it does."""


def at_least(what, measured, bound, unit=""):
    return {"what": what, "measured": measured, "bound": bound, "unit": unit, "is": "at least",
            "met": measured >= bound}


def at_most(what, measured, bound, unit=""):
    return {"what": what, "measured": measured, "bound": bound, "unit": unit, "is": "at most",
            "met": measured <= bound}
