// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Add it to your app as "WebsyncToken.swift". When a visitor has just logged in, call it with what the login gave:
//   syncWithWebsync(credentials, profileId: profileId)
import Auth0
import Foundation

// Tells Websync of one login. It returns at once, and visitors do not see if it fails.
// The profile's id is what BlueConic's mobile SDK tells you.
func syncWithWebsync(_ credentials: Credentials, profileId: String?) {
    guard let url = URL(string: "https://websync.example/sync/shop-goal/token") else { return }
    let post = WebsyncPost(token: credentials.idToken, profileId: profileId)
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.httpBody = try? JSONEncoder().encode(post)
    URLSession.shared.dataTask(with: request).resume()
}

private struct WebsyncPost: Encodable {
    let token: String
    let profileId: String?
}
