"""The path without the native scanner: blocks of many lines read column by column, with the arrays of numpy and Arrow.

The rule is the scanner's: what is surely read alike is read here, every other line is named by its place and goes to the
Python path line by line, which stays the one definition of what a line means. What a text means is asked of the same
functions, once for each text (or sort of text) of a block instead of once for each line.
"""

from store.arrow_alone import arrow_alone

arrow_alone()  # before the first array is made
