"""The compiled core: the modules a backtest spends its time in, made machine code by mypyc in a copy of `shell`.

`python -m compiled` makes the copy, proves it against the plain sources and puts it at `.compiled/`. The sources stay what
is read, tested and traded with; nothing here is imported by the product.
"""
