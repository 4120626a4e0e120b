"""The live view: `feed` reads topics, `model` says what there is to show, `draw` lays it out, `app` is the terminal."""
