"""What happened: frozen values, ids, instants and errors, the floor that everything stands on."""
