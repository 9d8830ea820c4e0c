"""Numbers as a person reads them."""


def short(value, digits=4):
    return f"{value:.{digits}g}"
