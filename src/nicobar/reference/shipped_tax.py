"""The shipped tax table in the form that a merchant's own table has."""

from functools import cache

from nicobar.core.tax.tax import TaxRow
from nicobar.core.tax.tax_sheet import TaxSheet
from nicobar.reference import tax_rates


@cache
def shipped_sheet() -> TaxSheet:
    """Return the rows of `tax_rates.csv`. They have no days: they hold until the merchant says otherwise."""
    rows = tuple(
        TaxRow(
            country=rate.country,
            region=rate.region,
            name=rate.name,
            standard_ppm=rate.standard_ppm,
            e_book_ppm=rate.e_book_ppm,
            saas_taxable=rate.saas_taxable,
            digital_taxable=rate.digital_taxable,
            effect=rate.effect,
            source=f"Nicobar's tax table, confidence {rate.confidence}",
        )
        for rate in tax_rates.rates()
    )
    return TaxSheet(rows, tax_rates.region_names())
