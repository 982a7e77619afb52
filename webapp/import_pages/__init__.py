"""Import pages: what an import goal's editor shows and does, with a look at real users before anything is saved."""
