"""Operations on the test clock."""
