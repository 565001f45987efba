"""The book, and in `book.make` what turns records into its pages."""
