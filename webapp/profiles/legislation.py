"""Legislation zones: where which privacy law holds. Source: BlueConic REST API v2 (R103), ``privacyLegislation``."""

from collections.abc import Mapping

ZONES: Mapping[str, str] = {
    "GDPR": "GDPR (European Union)",
    "UK_GDPR": "UK GDPR (United Kingdom)",
    "SWITZERLAND_DPA": "DPA (Switzerland)",
    "CCPA": "CCPA (California)",
    "NONE": "Rest of world",
    "ARGENTINA_DPL": "DPL (Argentina)",
    "AUSTRALIA_PRIVACY_ACT": "Privacy Act (Australia)",
    "BELIZE_DPA": "DPA (Belize)",
    "BRAZIL_LGPD": "LGPD (Brazil)",
    "CDPA_CTCPDA": "CTDPA (Connecticut)",
    "CHILE_L19_628": "Law 19.628 (Chile)",
    "CHINA_PIPL": "PIPL (China)",
    "COLOMBIA_L1581_D1377": "Law 1581 (Colombia)",
    "COSTA_RICA_L8968": "Law 8968 (Costa Rica)",
    "DPDPA": "DPDPA (Delaware)",
    "EL_SALVADOR": "Data protection law (El Salvador)",
    "FDBR": "FDBR (Florida)",
    "GUATEMALA_LAIP": "LAIP (Guatemala)",
    "HAITI_APD": "APD (Haiti)",
    "HONDURAS_LPDCP": "LPDCP (Honduras)",
    "ICDPA": "ICDPA (Iowa)",
    "INDIANA_INCDPA": "INCDPA (Indiana)",
    "ISRAEL_PPL": "PPL (Israel)",
    "JAMAICA_DPA": "DPA (Jamaica)",
    "JAPAN_APPI": "APPI (Japan)",
    "KENTUCKY_KCDPA": "KCDPA (Kentucky)",
    "MARYLAND_MODPA": "MODPA (Maryland)",
    "MEXICO_LFPDPPP": "LFPDPPP (Mexico)",
    "MINNESOTA_MCDPA": "MCDPA (Minnesota)",
    "MTCDPA": "MTCDPA (Montana)",
    "NEDPA": "NEDPA (Nebraska)",
    "NEW_ZEALAND_PRIVACY_ACT": "Privacy Act (New Zealand)",
    "NHPA": "NHPA (New Hampshire)",
    "NICARAGUA_L787": "Law 787 (Nicaragua)",
    "NJDPA": "NJDPA (New Jersey)",
    "NYPA": "NYPA (New York)",
    "OCPA": "OCPA (Oregon)",
    "PANAMA_L81": "Law 81 (Panama)",
    "PERU_DPL": "DPL (Peru)",
    "PIPEDA": "PIPEDA (Canada)",
    "RHODE_ISLAND_RIDTPPA": "RIDTPPA (Rhode Island)",
    "SB1392": "CDPA (Virginia)",
    "SB190": "SB 190 (Colorado)",
    "SB220": "SB 220 (Nevada)",
    "SOUTH_KOREA_PIPA": "PIPA (South Korea)",
    "TDPSA": "TDPSA (Texas)",
    "TENNESSEE_TIPA": "TIPA (Tennessee)",
    "TRINIDAD_TOBAGO_DPA": "DPA (Trinidad and Tobago)",
    "UCPA": "UCPA (Utah)",
}
"""What people read, by the name that profiles hold: the usual ones first."""


def zone_name(zone: str) -> str:
    """Return a zone as people read it; one that is not known as it is."""
    return ZONES.get(zone, zone)
