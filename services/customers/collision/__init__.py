"""The collision check's pure part: what a company's name and numbers are made of, and which of two say the same.

Values in, values out: no database, clock or network. `names` takes a name apart, `numbers` reads phones and faxes, `divisions`
and `regions` know the places, `keys` says under what an entry is filed so that the same company is met again. `sounds` says how a
name is read aloud, `reach` whose a website or a mail address is, `contacts` who the contact person is.
"""
