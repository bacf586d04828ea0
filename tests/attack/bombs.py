def attack(options):
    return [], []
