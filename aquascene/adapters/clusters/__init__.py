"""Deploy targets behind one port."""
