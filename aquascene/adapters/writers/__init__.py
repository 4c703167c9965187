"""Language models behind the writer port."""
