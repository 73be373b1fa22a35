"""The closed lists of the HTTP contract, as types.

Values and order are those of the official library 1.123.0, which a test compares value by value. A request
with another value is refused while it is decoded. Adding a value means adding it to the reference data as well:
a second test compares that data with these types.
"""

from typing import Final, Literal, get_args

# The long lists stay packed, several values a line, because one value a line would fill ten screens.
# fmt: off

CurrencyCode = Literal[
    "AED", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BRL", "BSD", "BWP", "BYN", "BZD", "CAD", "CHF", "CLP", "CNY", "COP", "CRC", "CUP",
    "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP",
    "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "JMD", "JOD",
    "JPY", "KES", "KGS", "KHR", "KMF", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD",
    "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON",
    "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SEK", "SGD", "SHP", "SLE", "SLL", "SOS", "SRD", "SSP", "STN",
    "SVC", "SZL", "THB", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES",
    "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF", "YER", "ZAR", "ZMW",
]
"""The 145 ISO 4217 codes of the `Currency` enum (contract: money, table 0.1). 84 of them can be charged."""

CountryCode = Literal[
    "AF", "AX", "AL", "DZ", "AS", "AD", "AO", "AI", "AQ", "AG", "AR", "AM", "AW", "AU", "AT", "AZ", "BS",
    "BH", "BD", "BB", "BY", "BE", "BZ", "BJ", "BM", "BT", "BO", "BQ", "BA", "BW", "BV", "BR", "IO", "BN",
    "BG", "BF", "BI", "KH", "CM", "CA", "CV", "KY", "CF", "TD", "CL", "CN", "CX", "CC", "CO", "KM", "CG",
    "CD", "CK", "CR", "CI", "HR", "CU", "CW", "CY", "CZ", "DK", "DJ", "DM", "DO", "EC", "EG", "SV", "GQ",
    "ER", "EE", "ET", "FK", "FO", "FJ", "FI", "FR", "GF", "PF", "TF", "GA", "GM", "GE", "DE", "GH", "GI",
    "GR", "GL", "GD", "GP", "GU", "GT", "GG", "GN", "GW", "GY", "HT", "HM", "VA", "HN", "HK", "HU", "IS",
    "IN", "ID", "IR", "IQ", "IE", "IM", "IL", "IT", "JM", "JP", "JE", "JO", "KZ", "KE", "KI", "KP", "KR",
    "KW", "KG", "LA", "LV", "LB", "LS", "LR", "LY", "LI", "LT", "LU", "MO", "MK", "MG", "MW", "MY", "MV",
    "ML", "MT", "MH", "MQ", "MR", "MU", "YT", "MX", "FM", "MD", "MC", "MN", "ME", "MS", "MA", "MZ", "MM",
    "NA", "NR", "NP", "NL", "NC", "NZ", "NI", "NE", "NG", "NU", "NF", "MP", "NO", "OM", "PK", "PW", "PS",
    "PA", "PG", "PY", "PE", "PH", "PN", "PL", "PT", "PR", "QA", "RE", "RO", "RU", "RW", "BL", "SH", "KN",
    "LC", "MF", "PM", "VC", "WS", "SM", "ST", "SA", "SN", "RS", "SC", "SL", "SG", "SX", "SK", "SI", "SB",
    "SO", "ZA", "GS", "SS", "ES", "LK", "SD", "SR", "SJ", "SZ", "SE", "CH", "SY", "TW", "TJ", "TZ", "TH",
    "TL", "TG", "TK", "TO", "TT", "TN", "TR", "TM", "TC", "TV", "UG", "UA", "AE", "GB", "UM", "US", "UY",
    "UZ", "VU", "VE", "VN", "VG", "VI", "WF", "EH", "YE", "ZM", "ZW",
]
"""The 249 ISO 3166-1 alpha-2 codes of the `CountryCode` enum; 226 are accepted (contract: payments, 9)."""

PaymentMethodType = Literal[
    "ach", "affirm", "afterpay_clearpay", "alfamart", "ali_pay", "ali_pay_hk", "alma", "amazon_pay",
    "apple_pay", "atome", "bacs", "bancontact_card", "becs", "benefit", "bizum", "blik", "boleto",
    "bca_bank_transfer", "bni_va", "bri_va", "card_redirect", "cimb_va", "classic", "credit",
    "crypto_currency", "cashapp", "dana", "danamon_va", "debit", "duit_now", "efecty", "eft", "eps", "fps",
    "evoucher", "giropay", "givex", "google_pay", "go_pay", "gcash", "ideal", "interac", "indomaret",
    "klarna", "kakao_pay", "local_bank_redirect", "mandiri_va", "knet", "mb_way", "mobile_pay", "momo",
    "momo_atm", "multibanco", "online_banking_thailand", "online_banking_czech_republic",
    "online_banking_finland", "online_banking_fpx", "online_banking_poland", "online_banking_slovakia",
    "oxxo", "pago_efectivo", "permata_bank_transfer", "open_banking_uk", "pay_bright", "paypal", "paze",
    "pix", "pay_safe_card", "przelewy24", "prompt_pay", "pse", "red_compra", "red_pagos", "samsung_pay",
    "sepa", "sepa_bank_transfer", "sofort", "swish", "touch_n_go", "trustly", "twint", "upi_collect",
    "upi_intent", "vipps", "viet_qr", "venmo", "walley", "we_chat_pay", "seven_eleven", "lawson",
    "mini_stop", "family_mart", "seicomart", "pay_easy", "local_bank_transfer", "mifinity",
    "open_banking_pis", "direct_carrier_billing", "instant_bank_transfer", "billie", "zip", "revolut_pay",
    "naver_pay", "payco", "satispay",
]
"""The 105 values of the `PaymentMethodTypes` enum (contract: payment methods, section 7)."""

AllowedMethodType = Literal[PaymentMethodType, "sunbit"]
"""What a request may allow: a type of payment method, or `sunbit`, which one client knows, and which is passed over."""

PaymentMethodFamily = Literal[
    "card", "card_redirect", "pay_later", "wallet", "bank_redirect", "bank_transfer", "crypto",
    "bank_debit", "reward", "real_time_payment", "upi", "voucher", "gift_card", "open_banking",
    "mobile_payment",
]
"""The 15 families in `payment_method` of payments and saved methods (contract: payment methods)."""

IntentStatus = Literal[
    "succeeded", "failed", "cancelled", "processing", "requires_customer_action",
    "requires_merchant_action", "requires_payment_method", "requires_confirmation", "requires_capture",
    "partially_captured", "partially_captured_and_capturable",
]
"""The 11 statuses of a payment, `IntentStatus` in the library (contract: payments, section 9)."""

LocaleCode = Literal[
    "ar", "ca", "zh", "nl", "en", "fr", "de", "he", "id", "it", "ja", "ka", "ko", "ms", "pl", "pt", "ro",
    "ru", "es", "sv", "th", "tr",
]
"""The 22 languages of the hosted page, `Locale` in the library; `zh` is simplified Chinese."""

# fmt: on

TaxCategory = Literal["digital_products", "saas", "e_book", "edtech", "live_tutoring"]
"""The 5 tax categories of a product, `TaxCategory` in the library (contract: money, section 6)."""

TimeInterval = Literal["Day", "Week", "Month", "Year"]
"""The 4 units of a subscription period, `TimeInterval` in the library; the capitals belong to the values."""

PricingModeName = Literal["by_currency", "by_country"]
"""How localized prices of a product are chosen, `PricingMode` in the library (contract: money, section 4)."""

PaymentProvider = Literal["stripe", "adyen", "dodo"]
"""Who charged a payment: an account of the merchant's own at the first two, or else this server ("dodo")."""

CURRENCY_CODES: Final[tuple[CurrencyCode, ...]] = get_args(CurrencyCode)
COUNTRY_CODES: Final[tuple[CountryCode, ...]] = get_args(CountryCode)
PAYMENT_METHOD_TYPES: Final[tuple[PaymentMethodType, ...]] = get_args(PaymentMethodType)
PAYMENT_METHOD_FAMILIES: Final[tuple[PaymentMethodFamily, ...]] = get_args(PaymentMethodFamily)
INTENT_STATUSES: Final[tuple[IntentStatus, ...]] = get_args(IntentStatus)
LOCALE_CODES: Final[tuple[LocaleCode, ...]] = get_args(LocaleCode)
TAX_CATEGORIES: Final[tuple[TaxCategory, ...]] = get_args(TaxCategory)


def provider_of(processor: str | None) -> PaymentProvider:
    """Return the contract's name for a processor, by the name under which attempts store it; None is not yet known."""
    match processor:
        case "stripe" | "adyen":
            return processor
    return "dodo"
