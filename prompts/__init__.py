"""What we say to models. No stage asks a model yet, so there is nothing here to say."""
