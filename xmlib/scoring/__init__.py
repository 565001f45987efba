"""Beyond one right candidate and plain cosines: relevance, hubness, baselines, refits."""
