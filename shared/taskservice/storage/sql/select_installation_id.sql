SELECT id FROM installation WHERE number = 1
