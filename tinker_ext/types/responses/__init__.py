"""Types that users receive."""
