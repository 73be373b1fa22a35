"""Facts that change rarely: currencies, countries, payment methods, test cards, tax and exchange rates.

Each module reads its CSV files from this folder into frozen structs. The table behind a module's `ALL` is read
when the module is first imported, side tables on their first use. `SOURCES.md` says where each fact comes from, under
which licence, and what is only approximate; the data marks it row by row in `source` and `confidence`.
"""
