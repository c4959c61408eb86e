"""How well the whole pipeline finds what is planted: simulated files in, findings out, judged against what was planted."""
