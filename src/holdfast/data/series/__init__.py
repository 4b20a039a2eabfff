"""Series: regular time, panels of many series, covariates, calendars, windows; tables and published files of them.

`clock` and `panel` come first; `long_wide` makes a panel of what users have, `tables` of their files.
"""
