"""What the book shows of records: tables, figures and pages of the methods."""
