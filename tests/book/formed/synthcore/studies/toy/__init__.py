"""Do random walks rise?"""

PAPER = "A. Author, B. Author: *Walks that rise*, 2020"
QUESTION = "Does a random walk with drift rise, and from where on can it be told from one without?"
