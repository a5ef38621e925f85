"""`make soak`: faults drawn at random, one upon the other, for as long as one likes; everything is checked each round."""
