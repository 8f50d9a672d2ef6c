"""Verse: rhyme, syllables and stanza forms, by rule and without torch."""
