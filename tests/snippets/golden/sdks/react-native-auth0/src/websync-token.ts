// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "src/websync-token.ts". When a visitor has just logged in, call it with what the login gave, without await:
//   syncWithWebsync(credentials, profileId);
import type { Credentials } from "react-native-auth0";

// Tells Websync of one login. It does not hold up the app, and visitors do not see if it fails.
// The profile's id is what BlueConic's mobile SDK tells you.
export async function syncWithWebsync(credentials: Credentials, profileId?: string | null) {
  try {
    await fetch("https://websync.example/sync/shop-goal/token", {
      method: "POST",
      credentials: "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: credentials.idToken, profileId: profileId ?? null }),
    });
  } catch {
    // The login has worked, and that is what visitors came for.
  }
}
