"""The live view: `feed` reads topics, `model` says what there is to show, `draw` and `detail` lay it out, `app` is the terminal."""
