"""The text of web pages, subtitles and office documents."""
