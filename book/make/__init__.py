"""From records to pages: tables, figures, explorer. No part of the library, which imports nothing of it."""
