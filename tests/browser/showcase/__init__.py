"""A system whose run leaves behind everything that a page can show."""
